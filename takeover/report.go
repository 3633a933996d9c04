package takeover

// Library is whose table it is.
type Library string

const (
	// KCL is the Kinesis Client Library.
	KCL Library = "KCL"
	// VMware is vmware-go-kcl, version 1 or 2.
	VMware Library = "vmware-go-kcl"
	// Harlow is the DynamoDB store of harlow/kinesis-consumer.
	Harlow Library = "harlow/kinesis-consumer"
	// Towpath is this library: the table is its own, or was taken over before.
	Towpath Library = "towpath"
	// Unknown is a table of something else.
	Unknown Library = "unknown"
)

// Report is what a take-over would find.
type Report struct {
	// Table is the table's name, and Application the application's.
	Table       string `json:"table"`
	Application string `json:"application"`
	// Library is whose table it is, Version which of its versions as far as that can
	// be told, and Why by what.
	Library Library `json:"library"`
	Version string  `json:"version,omitempty"`
	Why     string  `json:"why"`
	// Leases is how many rows are of shards, and Finished how many of these shards
	// are done.
	Leases   int `json:"leases"`
	Finished int `json:"finished"`
	// Workers are the owners that rows name, those at work first.
	Workers []Worker `json:"workers"`
	// Shards says of each row what becomes of it.
	Shards []Shard `json:"shards"`
	// Beside is what the library keeps beside its leases.
	Beside []string `json:"beside,omitempty"`
	// Against is what stands against a take-over; empty if nothing does.
	Against []Obstacle `json:"against"`
	// Next is what to do, in order.
	Next []Step `json:"next"`
}

// Worker is an owner that rows name.
type Worker struct {
	// ID is its name, and Leases how many rows name it.
	ID     string `json:"id"`
	Leases int    `json:"leases"`
	// AtWork is whether something of it changed between the looks, or its lease runs
	// on by its own clock, and Sign what.
	AtWork bool   `json:"at_work"`
	Sign   string `json:"sign,omitempty"`
}

// Shard is what becomes of one row.
type Shard struct {
	// Key is the row's key, and ID the shard's id.
	Key string `json:"key"`
	ID  string `json:"shard"`
	// Owner is who holds it; empty for nobody.
	Owner string `json:"owner,omitempty"`
	// Position is where it stands, as it is written, and Pending a checkpoint that
	// was prepared and not made.
	Position string `json:"position"`
	Pending  string `json:"pending_checkpoint,omitempty"`
	// Fate is where towpath goes on.
	Fate string `json:"fate"`
	// Trouble is why it cannot; empty if it can.
	Trouble string `json:"trouble,omitempty"`
}

// Obstacle is something that stands against a take-over.
type Obstacle struct {
	// What it is, and what to Do about it.
	What string `json:"what"`
	// Do is what to do about it.
	Do string `json:"do"`
}

// Step is something to do.
type Step struct {
	// Do says what it is, and Command is the exact command; empty if it is none.
	Do string `json:"do"`
	// Command is what to call, if it is a call.
	Command string `json:"command,omitempty"`
}
