package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/s3destination"
)

// serve is one worker on a stream in AWS, until ctx is done; run more of them to
// share the work.
func serve(ctx context.Context, o options, stderr io.Writer) error {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("load the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return errors.New("the AWS configuration names no region; set AWS_REGION")
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	failed := s3destination.Open(s3.NewFromConfig(cfg), o.Bucket, func(o *s3destination.Options) { o.Prefix = "failed" })
	settings := config(cfg, places{stream: o.Stream, bucket: o.Bucket, table: o.Table, create: o.Create}, &archive{
		noted: func(key string, events int) { log.Info("object written", "key", key, "events", events) },
	}, failed)
	settings.Handler.(*consumer.Collect).MaxAge, settings.Logger = o.MaxAge, log
	c, err := consumer.New(settings)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}
