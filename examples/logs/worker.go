package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// places say where a worker finds what it needs.
type places struct {
	stream, bucket, table string
	create                bool // the tables, if they are not there
}

// prefix is where the archive lies in its bucket.
const prefix = "logs"

// config is what a worker needs to know.
func config(cfg aws.Config, p places, a *archive, onFailure destination.Destination) consumer.Config {
	a.store = s3destination.Open(s3.NewFromConfig(cfg), p.bucket, func(o *s3destination.Options) { o.Prefix = prefix })
	return consumer.Config{
		Name:   "logs",
		Source: kinesisshards.Open(kinesis.NewFromConfig(cfg), p.stream),
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), p.table, func(o *dynamocheckpoint.Options) {
			o.CreateTables = p.create
		}),
		Handler: &consumer.Collect{
			MaxBytes: 16 << 20,
			MaxAge:   5 * time.Minute,
			Check:    check,
			Flush:    a.Flush,
		},
		// What is no log is kept where somebody can look at it.
		OnFailure: onFailure,

		BatchSize: 1000,
		// More than an object of 16 MiB has, if records have half a KiB.
		MaximumInFlight: 50_000,
	}
}
