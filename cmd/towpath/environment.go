package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"github.com/urfave/cli/v3"
)

const (
	// callTimeout is the default of -timeout.
	callTimeout = 5 * time.Second
	// connectTimeout is for how long a connection is waited for: less than a call,
	// so that it is tried again.
	connectTimeout = 2 * time.Second
	// longestBackoff is between two tries of one call: somebody is waiting.
	longestBackoff = time.Second
)

// environment is the AWS configuration of the environment, for every command that
// asks AWS. AWS_ENDPOINT_URL leads it to servers elsewhere. A call ends within
// -timeout.
func environment(ctx context.Context, c *cli.Command) (aws.Config, error) {
	timeout := c.Duration("timeout")
	if timeout <= 0 {
		timeout = callTimeout
	}
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = min(connectTimeout, timeout) }).
		WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = timeout })
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client),
		config.WithLogger(logging.Nop{}), // what went wrong is said once, in the error
		config.WithAPIOptions([]func(*middleware.Stack) error{func(s *middleware.Stack) error {
			return s.Initialize.Add(withinTime(timeout), middleware.Before)
		}}),
	}
	if os.Getenv("AWS_MAX_ATTEMPTS") == "" {
		options = append(options, config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 3, longestBackoff })
		}))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	switch {
	case err != nil:
		return cfg, unreachableError{fmt.Errorf("load the AWS configuration: %w", err)}
	case cfg.Region == "":
		return cfg, unreachableError{errors.New("the AWS configuration names no region: set AWS_REGION, or a profile that has one with AWS_PROFILE")}
	case !c.Bool("insecure-endpoint"):
		if err := secured(cfg); err != nil {
			return cfg, usageError{err}
		}
	}
	return cfg, nil
}

// streaming are the operations whose answer is read on after the call: they are
// bounded by the connection and by the head of the answer alone.
var streaming = map[string]bool{"GetObject": true, "SubscribeToShard": true}

// withinTime bounds a call with all its tries.
func withinTime(d time.Duration) middleware.InitializeMiddleware {
	return middleware.InitializeMiddlewareFunc("towpath.withinTime", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		if !streaming[middleware.GetOperationName(ctx)] {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d)
			defer cancel()
		}
		return next.HandleInitialize(ctx, in)
	})
}
