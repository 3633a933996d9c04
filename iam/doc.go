// Package iam tells which actions of AWS a program with this library needs, on
// which resources, and writes them as a policy.
//
// What a program does is a set of modes: [Polling] and [Leases] are a plain
// worker. [For] takes the names of what they touch and gives a [Policy] that
// allows these calls and no other: no action is a wildcard, and a resource ends
// in one only where the service appends what nobody knows beforehand, as the
// label of a stream of DynamoDB or the creation time of a fan-out consumer.
//
// One table says it all, needs.go. A test runs every mode against an AWS in the
// process which refuses what the policy does not allow, and fails if anything is
// allowed that was not asked for.
//
// # What is not here
//
// What handlers do for themselves, and the writes that they attach to the
// position (dynamocheckpoint.TxBatch) or to an effect (dynamoonce): those are of
// your tables. TransactWriteItems has no action of its own: it is allowed if its
// members are, and a check among them needs dynamodb:ConditionCheckItem.
//
// The key of an encrypted table is asked for by DynamoDB in the name of the
// caller; its key policy says so, see
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html.
package iam
