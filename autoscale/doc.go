// Package autoscale tells how many workers a fleet needs.
//
// # The formula
//
// A shard whose handler takes w for a record, to which a records come in a
// second and where b wait that are to be gone within T, keeps
//
//	calls = min(lanes, (a + b/T) × w)
//
// calls of its handler at work on average: that is Little's law, L = λW
// (https://doi.org/10.1287/opre.9.3.383). A worker is to run as many at once as
// Sizing.PerWorker says, and Headroom of that is kept free:
//
//	workers = Σ calls / (PerWorker × (1 − Headroom))
//
// rounded up, at least Minimum, at most Maximum and at most one a shard: a
// worker without a shard has nothing to do.
//
// # What is summed and what is not
//
// Calls are summed, times behind never are. A hundred shards that are each a
// second behind are a second behind, and a fleet that is scaled by the sum of
// them has the most workers when it needs them least
// (https://github.com/apache/druid/issues/16284). A shard's time behind counts
// only as the records that it stands for, and for at most the shard's lanes. So
// a shard that is stuck asks for its own lanes and not for the whole fleet to
// grow; that more than its lanes would be needed is told in Demand.Beyond: more
// lanes or more shards help there, and workers do not.
//
// The number of shards says nothing of how much is to be done
// (https://github.com/kedacore/keda/issues/7795), and the age that CloudWatch
// shows for a stream is that of the slowest of all applications on it
// (https://github.com/awslabs/amazon-kinesis-scaling-utils/issues/63). What is
// measured here is one application's own.
//
// # Parts of a fleet
//
// Demand.Workers is a fraction, and those of the workers of a fleet, each of
// the shards that it has, add up to the fleet's. So each worker can export its
// own: their sum, rounded up, is the number of workers, and their mean is what
// target tracking holds at 1.
//
// # Steady
//
// Demand is as noisy as what is measured. Scaler goes up at once and down late:
// when nothing was behind and less was enough for the whole of Scaler.Settle.
//
// # What is not promised
//
// That more workers are faster: where a database behind the handler is what is
// slow, they make it slower. Set Maximum to what that can bear, or limit the
// fleet's calls.
package autoscale
