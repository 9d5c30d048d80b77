// Terminates workflows on request: what a Go engineer would write on controller-runtime, tuned.
package main

import (
	"context"
	"flag"
	"os"

	"go.temporal.io/sdk/client"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	kubeclient "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

func main() {
	workers := flag.Int("workers", 25, "Executions worked on at once")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	if err := run(ctrl.SetupSignalHandler(), *workers); err != nil {
		ctrl.Log.Error(err, "ended")
		os.Exit(1)
	}
}

func run(ctx context.Context, workers int) error {
	temporal, err := client.DialContext(ctx, client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS")})
	if err != nil {
		return err
	}
	defer temporal.Close()
	manager, err := newManager()
	if err != nil {
		return err
	}
	namespaces := func(object kubeclient.Object) []string { return object.(*Organization).Spec.Namespaces }
	if err := manager.GetFieldIndexer().IndexField(ctx, &Organization{}, byNamespace, namespaces); err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		For(&Execution{}, builder.WithPredicates(predicate.NewPredicateFuncs(asked))).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(&Reconciler{Client: manager.GetClient(), temporal: temporal.WorkflowService()})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

// newManager has no client-side rate limit, and a cache without the fields that nobody reads.
func newManager() (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	addTypes(scheme)
	config := ctrl.GetConfigOrDie()
	config.QPS = -1
	return ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: server.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
}
