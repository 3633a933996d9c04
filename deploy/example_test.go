package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/autoscale"
	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/health"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/telemetry"
)

// work runs a worker as the manifests expect it: it answers health checks at an
// address, and writes its metrics for CloudWatch beside its log.
func work(ctx context.Context, cfg consumer.Config, stream, address string, out io.Writer) error {
	recorder := telemetry.New(telemetry.Options{
		Application: cfg.Name,
		Stream:      stream,
		Sizing:      autoscale.Sizing{PerWorker: 16, Lanes: cfg.ParallelizationFactor},
	})
	cfg.Hooks = consumer.JoinHooks(cfg.Hooks, recorder.Hooks())
	c, err := consumer.New(cfg)
	if err != nil {
		return err
	}
	recorder.Watch(c.Status)

	mux := http.NewServeMux()
	mux.Handle("/livez", health.Live(c.Status, health.Rules{}))
	mux.Handle("/readyz", health.Ready(c.Status, health.Rules{}))
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { // ends with server.Close, below; awaited there
		defer stop() // a worker that nobody can ask is not to run
		served <- server.ListenAndServe()
	}()

	// Until SIGTERM ends ctx, and the worker has drained. It can be asked until then.
	err = telemetry.EMF{Recorder: recorder, Writer: out}.While(ctx, c.Run)
	err = errors.Join(err, server.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// A service with everything that the files here ask of it. Its tables would be those
// of cloudformation/application.yaml; these lie in an AWS inside the process.
func Example() {
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("clicks", 2); err != nil {
		log.Fatal(err)
	}
	for _, visitor := range []string{"ada", "ben", "cid"} {
		if _, _, err := cloud.Kinesis().Put("clicks", visitor, []byte("click")); err != nil {
			log.Fatal(err)
		}
	}
	var metrics bytes.Buffer
	err := work(context.Background(), consumer.Config{
		Name:   "clickstream",
		Source: kinesisshards.Open(kinesis.NewFromConfig(cloud.Config("worker")), "clicks"),
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(cloud.Config("worker")), "clickstream", func(o *dynamocheckpoint.Options) {
			o.CreateTables = true // the template makes them
		}),
		Handler:               consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		ParallelizationFactor: 4,
		Until:                 consumer.CaughtUp(), // a service has none
		Logger:                slog.New(slog.DiscardHandler),
	}, "clicks", "127.0.0.1:0", &metrics)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("handled:", strings.Contains(metrics.String(), `"towpath.handled.records":3`))
	// Output:
	// handled: true
}
