package shard

// Control is what a whole fleet is told: one row, written by operators and, for
// the shares, by the planner.
type Control struct {
	// Gen grows with every write. A worker that has seen one generation
	// believes no earlier one.
	Gen int64
	// Limited tells whether the calls that run at once in the whole fleet are
	// limited, and Limit is to how many; 0 stops every handler.
	Limited bool
	Limit   int
	// Shares are what each worker may run of the limit, by its id.
	Shares map[string]Share
	// Pauses are what is not handled at present.
	Pauses []Pause
}

// Share is one worker's part of the fleet's concurrency.
type Share struct {
	// Calls is how many handler calls the worker may run at once.
	Calls int
	// Gen is the generation with which Calls was last lowered. Until the
	// worker's session says that it keeps to it (Session.ShareGen), the worker
	// may run as many as Ceiling.
	Gen     int64
	Ceiling int
}

// Pause holds back an application, a shard, or the records of one key.
type Pause struct {
	// Shard is the id of the shard; empty is every shard.
	Shard string
	// KeyHash is the SHA-256 of the key in hexadecimal, so that no key stands in
	// a table; empty is every key.
	KeyHash string
}
