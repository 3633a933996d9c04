// Package lambdahandler runs AWS Lambda functions in a worker, unchanged: what
// was deployed behind an event source mapping becomes the handler of a consumer.
//
//	handler, err := lambdahandler.New(handle) // the function given to lambda.Start
//	…
//	c, err := consumer.New(consumer.Config{Handler: handler, …})
//
// A call gets the event that Lambda would send: events.KinesisEvent,
// events.DynamoDBEvent, with a TumblingWindow the events with a time window, or
// their JSON, according to what the function takes. Its context carries a
// lambdacontext.LambdaContext and a deadline.
//
// # What the answer means
//
// An error or a panic fails the batch. An answer of the form
//
//	{"batchItemFailures": [{"itemIdentifier": "49590338271490256608559692538361571095921575989136588898"}]}
//
// fails it from the record with the lowest of the sequence numbers on, and what
// lies before is done, as with Lambda's ReportBatchItemFailures. An answer
// without failures (an empty list, null, {}, "" or nothing) is success. An
// identifier that is empty or null, of another name or not in the batch fails
// the whole batch.
//
// Lambda does not look at the answer unless the mapping names
// ReportBatchItemFailures. Here it is looked at unless Options.IgnoreAnswer is
// set: a function that reports failures does not want them lost.
//
// # What differs from Lambda
//
// An event has no limit of 6 MB: Config.MaximumBatchBytes is one, over payloads.
// The variables of package lambdacontext (FunctionName and so on) are read by
// that package from the environment when the process starts, as in Lambda; set
// AWS_LAMBDA_FUNCTION_NAME and its like for the worker if a function reads them.
// The executions of one process share it: what a function keeps in variables is
// shared by calls that run at once, which Lambda never does. Guard it, or set
// Config.MaximumConcurrency to 1.
package lambdahandler
