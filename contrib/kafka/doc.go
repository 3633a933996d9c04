// Package kafka is a destination in a topic of Apache Kafka: of batches that were
// given up, and of records that a handler emits.
//
// The value of a failure's record is the envelope of package destination, its key
// the shard unless Options.Key says otherwise, with the headers condition, shardId
// and application. The value of an emitted record is its payload as it is, its
// key the record's, with the headers towpath-id, towpath-key and its own
// attributes; a payload that went to a store is a destination.Document.
//
// The client is the user's, a *kgo.Client of franz-go. Leave its idempotent
// production on, as it is by default, and give it a RecordDeliveryTimeout, so that
// what a broker does not take comes back as an error; the engine tries again
// without limit. Kafka knows no repeats of another process: what reads the topic
// tells them by towpath.id in an envelope and by the header towpath-id.
//
// A principal needs Write and Describe on the topic (kafka-cluster:WriteData and
// kafka-cluster:DescribeTopic with IAM on MSK), and IdempotentWrite on clusters
// before Kafka 3.0.
package kafka
