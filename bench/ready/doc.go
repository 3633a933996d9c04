// Package ready is a Kinesis and a DynamoDB on loopback for measuring what reads
// from them: GetRecords is answered from pages that are ready but for a few
// digits, so that the server takes as little as it can from the machine that both
// share.
//
// What is asked for stands in the name of the stream: see [Stream]. Such a stream
// has no end, and none of the service's limits. The sequence numbers of a shard
// go up by one; arrivals are all the same; payloads are random bytes, the same in
// every page. JSON is answered to JSON, and x-amz-cbor-1.1, which the Java SDK
// speaks, to CBOR. Signatures are not looked at.
package ready
