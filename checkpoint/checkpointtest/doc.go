// Package checkpointtest holds what proves a checkpoint.Leases: an in-memory
// table with the same semantics, which can be told to misbehave, and the suite
// that every driver passes.
package checkpointtest
