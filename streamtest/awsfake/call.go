package awsfake

import (
	"net/http"
	"net/url"
	"strings"
)

// Call is one request to one service, as interceptors and observers see it.
type Call struct {
	Caller    string // the access key id that signed it; empty if it was not signed
	Service   string // the signing name: kinesis, dynamodb, sqs, sns, s3, events, lambda, states, firehose; dynamodbstreams for the streams of DynamoDB, which sign as dynamodb
	Operation string // as in the API reference: GetRecords, PutItem, SendMessage, PutObject, Invoke; of S3 sometimes only the HTTP method
	Body      []byte // the whole request body; not to be changed
}

// callOf reads who calls what from a request. Requests that are not signed are
// told apart by their X-Amz-Target header, so that a plain HTTP tool can ask.
func callOf(r *http.Request, body []byte) Call {
	call := Call{Body: body}
	call.Caller, call.Service = scope(r.Header.Get("Authorization"))
	target, operation, targeted := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	query := r.URL.Query()
	switch {
	case targeted:
		call.Operation = operation
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/functions/") && strings.HasSuffix(r.URL.Path, "/invocations"):
		call.Operation = "Invoke"
	case query.Has("x-id"): // how the SDK names most of S3's operations
		call.Operation = query.Get("x-id")
	case query.Get("list-type") == "2":
		call.Operation = "ListObjectsV2"
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		if form, err := url.ParseQuery(string(body)); err == nil {
			call.Operation = form.Get("Action")
		}
	default:
		call.Operation = r.Method
	}
	if call.Service == "" {
		call.Service = serviceOfTarget(target)
	}
	if strings.HasPrefix(target, "DynamoDBStreams_") {
		call.Service = "dynamodbstreams" // it signs as dynamodb, and fails by itself
	}
	return call
}

// scope takes the access key id and the service from a Signature Version 4
// header: "AWS4-HMAC-SHA256 Credential=id/date/region/service/aws4_request, …".
func scope(authorization string) (id, service string) {
	_, credential, ok := strings.Cut(authorization, "Credential=")
	if !ok {
		return "", ""
	}
	credential, _, _ = strings.Cut(credential, ",")
	parts := strings.Split(credential, "/")
	// The id may hold slashes of its own; the last four parts are fixed.
	if len(parts) < 5 {
		return "", ""
	}
	return strings.Join(parts[:len(parts)-4], "/"), parts[len(parts)-2]
}

// serviceOfTarget is the signing name behind the prefix of an X-Amz-Target.
func serviceOfTarget(target string) string {
	switch {
	case strings.HasPrefix(target, "Kinesis_"):
		return "kinesis"
	case strings.HasPrefix(target, "DynamoDB"):
		return "dynamodb"
	case target == "AmazonSQS":
		return "sqs"
	case target == "AWSEvents":
		return "events"
	case target == "AWSStepFunctions":
		return "states"
	case strings.HasPrefix(target, "Firehose_"):
		return "firehose"
	}
	return ""
}
