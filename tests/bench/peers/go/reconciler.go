package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// byNamespace is the cache's index of Organizations.
const byNamespace = "spec.namespaces"

// Reconciler answers requests: authorize, pin, terminate, observe, record, tell.
type Reconciler struct {
	client.Client
	temporal workflowservice.WorkflowServiceClient
}

func asked(object client.Object) bool {
	execution, ok := object.(*Execution)
	answered := ok && execution.Status.Termination != nil && execution.Status.Termination.Outcome != ""
	return ok && execution.Spec.Terminate != nil && !answered
}

func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	cached := &Execution{}
	if err := r.Get(ctx, request.NamespacedName, cached); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !asked(cached) {
		return ctrl.Result{}, nil
	}
	organization, err := r.organization(ctx, request.Namespace)
	if err != nil {
		return ctrl.Result{}, err
	}
	execution := cached.DeepCopy()
	if execution.Status.RunID == "" {
		if err := r.pin(ctx, execution, organization); err != nil {
			return ctrl.Result{}, err
		}
	}
	last, err := r.terminate(ctx, execution)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.record(ctx, execution, last)
}

// organization returns the one Organization that claims the namespace.
func (r *Reconciler) organization(ctx context.Context, namespace string) (*Organization, error) {
	found := &OrganizationList{}
	if err := r.List(ctx, found, client.MatchingFields{byNamespace: namespace}); err != nil {
		return nil, err
	}
	if len(found.Items) != 1 {
		return nil, fmt.Errorf("namespace %s belongs to %d organizations", namespace, len(found.Items))
	}
	return &found.Items[0], nil
}

// pin records which run is meant, before anything is done to it.
func (r *Reconciler) pin(ctx context.Context, execution *Execution, organization *Organization) error {
	namespace := organization.Spec.Temporal.Namespace
	described, err := r.temporal.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: execution.Spec.ExecutionID},
	})
	if err != nil {
		return err
	}
	before := execution.DeepCopy()
	info := described.WorkflowExecutionInfo
	execution.Status.WorkflowID, execution.Status.RunID = info.Execution.WorkflowId, info.Execution.RunId
	execution.Status.FirstRunID = info.FirstRunId
	execution.Status.Organization, execution.Status.TemporalNamespace = organization.Name, namespace
	execution.Status.Phase = "running"
	return r.patch(ctx, execution, before)
}

// terminate ends the pinned run and returns its last event, whatever the call's answer was.
func (r *Reconciler) terminate(ctx context.Context, execution *Execution) (*historypb.HistoryEvent, error) {
	run := &commonpb.WorkflowExecution{WorkflowId: execution.Status.WorkflowID, RunId: execution.Status.RunID}
	namespace := execution.Status.TemporalNamespace
	details, err := json.Marshal(map[string]string{"executionUid": string(execution.UID)})
	if err != nil {
		return nil, err
	}
	payload := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: details}
	_, err = r.temporal.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace: namespace, WorkflowExecution: run, Reason: execution.Spec.Terminate.Reason,
		Identity: "bench-peer/" + execution.Namespace + "/" + execution.Name,
		Details:  &commonpb.Payloads{Payloads: []*commonpb.Payload{payload}},
	})
	if missing := new(serviceerror.NotFound); err != nil && !errors.As(err, &missing) {
		return nil, err
	}
	history, err := r.temporal.GetWorkflowExecutionHistoryReverse(ctx,
		&workflowservice.GetWorkflowExecutionHistoryReverseRequest{
			Namespace: namespace, Execution: run, MaximumPageSize: 1,
		})
	if err != nil {
		return nil, err
	}
	_, err = r.temporal.DescribeWorkflowExecution(ctx, // its pending children are those that live on
		&workflowservice.DescribeWorkflowExecutionRequest{Namespace: namespace, Execution: run})
	return history.History.Events[0], err
}

// record writes the status in one patch, then one Event.
func (r *Reconciler) record(ctx context.Context, execution *Execution, last *historypb.HistoryEvent) error {
	if last.EventType != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED {
		return fmt.Errorf("run %s shows %s", execution.Status.RunID, last.EventType)
	}
	before, at := execution.DeepCopy(), last.EventTime.AsTime().Format(time.RFC3339Nano)
	message := "terminated at " + at + ": " + execution.Spec.Terminate.Reason
	status := &execution.Status
	status.Phase, status.ClosedAt, status.TerminatedAt = "cancelled", at, at
	status.ObservedGeneration = execution.Generation
	status.Termination = &Termination{Reason: execution.Spec.Terminate.Reason, Outcome: "Terminated"}
	for _, condition := range []string{"Terminated", "Finished"} {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: condition, Status: metav1.ConditionTrue, Reason: "Terminated", Message: message,
			ObservedGeneration: execution.Generation,
		})
	}
	if err := r.patch(ctx, execution, before); err != nil {
		return err
	}
	return r.tell(ctx, execution, message)
}

func (r *Reconciler) patch(ctx context.Context, execution, before *Execution) error {
	guarded := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return r.Status().Patch(ctx, execution, guarded)
}

func (r *Reconciler) tell(ctx context.Context, execution *Execution, message string) error {
	now := metav1.Now()
	err := r.Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: execution.Namespace, Name: fmt.Sprintf("%s.%s", execution.Name, execution.UID),
		},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "control-plane.kubiya.ai/v1alpha1", Kind: "Execution",
			Namespace: execution.Namespace, Name: execution.Name, UID: execution.UID,
		},
		Type: corev1.EventTypeNormal, Reason: "Terminated", Message: message,
		Source:         corev1.EventSource{Component: "bench-peer"},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
