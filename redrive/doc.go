// Package redrive takes what was given up out of where it lies and has it handled
// once more, or puts it back into a stream.
//
// # Model
//
// A mailbox (a queue, a prefix of a bucket, a file) holds letters: the envelopes
// that a destination of this module wrote, those of AWS Lambda's on-failure
// destinations, or either within a notification of SNS. [Run] takes letters out,
// finds their records, sorts them, and calls a handler with the records of one
// letter at a time. A letter leaves the mailbox when its records are handled, and
// stays otherwise.
//
//	payload in the letter      as it is
//	payloadRef                 read with Config.Load, size and hash compared
//	metadata alone             read again from the stream with Config.Source,
//	                           while its retention lasts
//
// # Order
//
// Letters come in any order. Run collects as many as Config.Limit and
// Config.MaximumBytes say, and sorts them by stream and sequence number, which
// grow from a shard to its children: within what was collected, each key's
// records are in order. When a letter fails, later letters that hold one of its
// keys are held back.
//
// # What is not promised
//
// At least once: a run that ends half-way leaves letters whose records were
// handled. A letter that says which records failed only by the first and the
// last of them, as Lambda's do, is read again as all records of the shard from
// the one to the other; with a ParallelizationFactor above 1 those are more than
// had failed. Nothing keeps a running consumer from handling later records of the
// same keys before: who needs order against those pauses the consumer, or puts
// the records back into the stream instead. Batches have the zero Fence.
package redrive
