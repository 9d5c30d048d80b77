package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The parts of the two resources that the job needs.
type (
	Execution struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`
		Spec              ExecutionSpec   `json:"spec"`
		Status            ExecutionStatus `json:"status,omitempty"`
	}
	ExecutionSpec struct {
		ExecutionID string     `json:"executionId"`
		Terminate   *Terminate `json:"terminate,omitempty"`
	}
	Terminate struct {
		Reason string `json:"reason"`
	}
	ExecutionStatus struct {
		ObservedGeneration int64              `json:"observedGeneration,omitempty"`
		Phase              string             `json:"phase,omitempty"`
		Organization       string             `json:"organization,omitempty"`
		WorkflowID         string             `json:"workflowId,omitempty"`
		RunID              string             `json:"runId,omitempty"`
		FirstRunID         string             `json:"firstRunId,omitempty"`
		TemporalNamespace  string             `json:"temporalNamespace,omitempty"`
		ClosedAt           string             `json:"closedAt,omitempty"`
		TerminatedAt       string             `json:"terminatedAt,omitempty"`
		Termination        *Termination       `json:"termination,omitempty"`
		Conditions         []metav1.Condition `json:"conditions,omitempty"`
	}
	Termination struct {
		Reason  string `json:"reason"`
		Outcome string `json:"outcome,omitempty"`
	}
	ExecutionList struct {
		metav1.TypeMeta `json:",inline"`
		metav1.ListMeta `json:"metadata,omitempty"`
		Items           []Execution `json:"items"`
	}
	Organization struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`
		Spec              OrganizationSpec `json:"spec"`
	}
	OrganizationSpec struct {
		Namespaces []string `json:"namespaces"`
		Temporal   struct {
			Namespace string `json:"namespace"`
		} `json:"temporal"`
	}
	OrganizationList struct {
		metav1.TypeMeta `json:",inline"`
		metav1.ListMeta `json:"metadata,omitempty"`
		Items           []Organization `json:"items"`
	}
)

func (in *Execution) DeepCopy() *Execution {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	if in.Spec.Terminate != nil {
		out.Spec.Terminate = new(*in.Spec.Terminate)
	}
	if in.Status.Termination != nil {
		out.Status.Termination = new(*in.Status.Termination)
	}
	out.Status.Conditions = append([]metav1.Condition(nil), in.Status.Conditions...)
	return &out
}

func (in *Execution) DeepCopyObject() runtime.Object { return in.DeepCopy() }

func (in *ExecutionList) DeepCopyObject() runtime.Object {
	out := ExecutionList{TypeMeta: in.TypeMeta, ListMeta: in.ListMeta}
	for i := range in.Items {
		out.Items = append(out.Items, *in.Items[i].DeepCopy())
	}
	return &out
}

func (in *Organization) DeepCopy() *Organization {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Namespaces = append([]string(nil), in.Spec.Namespaces...)
	return &out
}

func (in *Organization) DeepCopyObject() runtime.Object { return in.DeepCopy() }

func (in *OrganizationList) DeepCopyObject() runtime.Object {
	out := OrganizationList{TypeMeta: in.TypeMeta, ListMeta: in.ListMeta}
	for i := range in.Items {
		out.Items = append(out.Items, *in.Items[i].DeepCopy())
	}
	return &out
}

func addTypes(scheme *runtime.Scheme) {
	version := schema.GroupVersion{Group: "control-plane.kubiya.ai", Version: "v1alpha1"}
	scheme.AddKnownTypes(version, &Execution{}, &ExecutionList{}, &Organization{}, &OrganizationList{})
	metav1.AddToGroupVersion(scheme, version)
}
