package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// secured refuses endpoints that are asked without TLS on another host. The
// clients are asked, as each service has a variable of its own.
func secured(cfg aws.Config) error {
	var problems []error
	for _, s := range []struct {
		name     string
		endpoint *string
	}{
		{"Kinesis", kinesis.NewFromConfig(cfg).Options().BaseEndpoint},
		{"DynamoDB", dynamodb.NewFromConfig(cfg).Options().BaseEndpoint},
		{"DynamoDB Streams", dynamodbstreams.NewFromConfig(cfg).Options().BaseEndpoint},
		{"SQS", sqs.NewFromConfig(cfg).Options().BaseEndpoint},
		{"S3", s3.NewFromConfig(cfg).Options().BaseEndpoint},
	} {
		if s.endpoint == nil || isSecure(*s.endpoint) {
			continue
		}
		problems = append(problems, fmt.Errorf("the endpoint of %s is asked without TLS on another host: add -insecure-endpoint if it is to be", s.name))
	}
	return errors.Join(problems...)
}

// isSecure reports whether an endpoint has TLS, or is on this host. A name is
// not looked up, as whoever answers for it may change his mind.
func isSecure(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
