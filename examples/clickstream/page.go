package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// page is the dashboard of the fleet, at an address that only this host reaches.
type page struct {
	url   string
	group *errgroup.Group
	stop  context.CancelFunc
}

// openPage serves a source until it is closed.
func openPage(s dashboard.Source) (*page, error) {
	handler, err := dashboard.New(dashboard.Config{Title: "towpath clickstream", Sources: []dashboard.Source{s}, Refresh: time.Second})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the dashboard: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := context.WithCancel(context.Background())
	p := &page{url: "http://" + listener.Addr().String() + "/", group: new(errgroup.Group), stop: stop}
	p.group.Go(func() error { return handler.Run(ctx) })
	p.group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the dashboard: %w", err)
		}
		return nil
	})
	p.group.Go(func() error {
		<-ctx.Done()
		return server.Close() // whoever looks still sees that it is gone
	})
	return p, nil
}

// close ends the page, and waits for it.
func (p *page) close() error {
	p.stop()
	return p.group.Wait()
}

// tablesOf looks at the tables of a fleet, and at the stream, one look after the
// other: by the one before is told who lives.
func tablesOf(cfg aws.Config, stream, table string) func(context.Context) (*overview.Fleet, error) {
	view := overview.Config{
		Tables: dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), table),
		Source: kinesisshards.Open(kinesis.NewFromConfig(cfg), stream),
	}
	return func(ctx context.Context) (*overview.Fleet, error) {
		fleet, err := overview.Look(ctx, view)
		if fleet != nil {
			view.Before = fleet
		}
		return fleet, err
	}
}
