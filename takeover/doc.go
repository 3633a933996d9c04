// Package takeover reads the table in which another library keeps its positions,
// or this one, and reports what a take-over by towpath would make of it: whose table
// it is, who is at work on it, where each shard would go on, what stands against it,
// and what to do next. It writes nothing.
//
// [Look] reads the table twice with a pause between and notes [Facts]; [Read] is a
// function over them and gives a [Report].
//
// # Whose table
//
// The key tells: leaseKey is KCL's, which towpath works on as it stands; ShardID is
// vmware-go-kcl's; namespace with shard_id is that of the DynamoDB store of
// harlow/kinesis-consumer. The positions of the last two are copied
// (reposition.Mover.Fork). Which KCL, its rows and the tables beside tell.
//
// # What is not promised
//
// Whoever lives is seen by what changes between two looks. A fleet of KCL renews
// each lease three times in its failoverTimeMillis, so a pause as long as that is
// enough, and a shorter one may see nothing of a fleet that lives. A harlow consumer
// writes nothing but positions, once a minute by default: that it is quiet proves
// nothing.
package takeover
