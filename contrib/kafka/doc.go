// Package kafka is a destination in Kafka topics.
package kafka
