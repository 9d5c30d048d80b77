{{/* What only Helm has; the templates beside this file are generated. Values come and go as JSON. */}}

{{- define "execution-operator.name" -}}
{{ default $.Release.Name $.Values.nameOverride | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- define "execution-operator.selector" -}}
{{ dict "app.kubernetes.io/name" $.Chart.Name "app.kubernetes.io/instance" $.Release.Name | toJson }}
{{- end }}

{{- define "execution-operator.gateway-selector" -}}
{{ dict "app.kubernetes.io/name" (printf "%s-gateway" $.Chart.Name) "app.kubernetes.io/instance" $.Release.Name | toJson }}
{{- end }}

{{- define "execution-operator.gateway-tls" -}}
{{- $secret := dict "secretName" $.Values.gateway.tlsSecretName -}}
{{ dict
  "arguments" (list "--tls-cert-file=/tls/tls.crt" "--tls-key-file=/tls/tls.key")
  "mounts" (list (dict "name" "gateway-tls" "mountPath" "/tls" "readOnly" true))
  "volumes" (list (dict "name" "gateway-tls" "secret" $secret))
| toJson }}
{{- end }}

{{- define "execution-operator.labels" -}}
{{ merge (include "execution-operator.selector" $ | fromJson) (dict
  "app.kubernetes.io/version" $.Chart.AppVersion
  "app.kubernetes.io/part-of" $.Chart.Name
  "app.kubernetes.io/managed-by" $.Release.Service
  "helm.sh/chart" (printf "%s-%s" $.Chart.Name $.Chart.Version)
) | toJson }}
{{- end }}

{{- define "execution-operator.image" -}}
{{- with $.Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end }}

{{- define "execution-operator.env" -}}
{{- $env := list -}}
{{- with $.Values.temporal.address }}{{ $env = append $env (dict "name" "TEMPORAL_ADDRESS" "value" .) }}{{ end -}}
{{- with $.Values.temporal.namespace }}{{ $env = append $env (dict "name" "TEMPORAL_NAMESPACE" "value" .) }}{{ end -}}
{{ concat $env $.Values.env | default list | toJson }}
{{- end }}

{{- define "execution-operator.egress" -}}
{{- $ports := list -}}
{{- range $.Values.networkPolicy.egressPorts }}{{ $ports = append $ports (dict "protocol" "TCP" "port" .) }}{{ end -}}
{{ $ports | default list | toJson }}
{{- end }}

{{/* Whether requests are stamped with their requester. */}}
{{- define "execution-operator.stamps" -}}
{{- $able := $.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
{{- $stamp := $.Values.policies.requesterStamp -}}
{{ and $.Values.policies.install (or (eq $stamp "Always") (and (eq $stamp "Auto") $able)) }}
{{- end }}
