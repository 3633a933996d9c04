package dashboard

// The rows of a picture, as they go to the browser. Times are milliseconds since
// 1970 by this host's clock, durations milliseconds; -1 is not known.

// about is the picture as a whole.
type about struct {
	Title  string `json:"title"`
	Source string `json:"source"`
	// At is when this was put together, and TablesAt when the tables were read.
	At       int64 `json:"at"`
	TablesAt int64 `json:"tables_at"`
	// Trouble says what could not be read when that was tried last: all of the
	// tables, if Failing, or else the stream.
	Trouble string `json:"trouble,omitempty"`
	Failing bool   `json:"failing,omitempty"`
	// HasTables and HasHere tell which sides the source has, HasRecorder whether
	// there can be failures.
	HasTables   bool  `json:"has_tables"`
	HasHere     bool  `json:"has_here"`
	HasRecorder bool  `json:"has_recorder"`
	Refresh     int64 `json:"refresh"`
	Texts       bool  `json:"texts"`
	// Points is how many points the curves have at most.
	Points int `json:"points"`
}

// summary is the fleet in a few numbers.
type summary struct {
	Shards  int            `json:"shards"`
	States  map[string]int `json:"states"`
	Workers int            `json:"workers"`
	Alive   int            `json:"alive"`
	// Lag is the longest, at most so long if AtMost, and LagShard whose; Rate is in
	// records and KiB in KiB a second.
	Lag      int64   `json:"lag"`
	AtMost   bool    `json:"lag_at_most,omitempty"`
	LagShard string  `json:"lag_shard,omitempty"`
	Rate     float64 `json:"rate"`
	KiB      float64 `json:"kib"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	Pending  int     `json:"pending"`
	Busy     int     `json:"busy"`
	Parked   int     `json:"parked"`
	Suspects int     `json:"suspects"`
	// Failed is how many failures there were since the last look, Recent in the
	// last 15 minutes, and Grave how many of those were grave.
	Failed int64 `json:"failed"`
	Recent int64 `json:"recent"`
	Grave  int64 `json:"grave"`
}

// orders is what the fleet is told.
type orders struct {
	Limited bool     `json:"limited"`
	Limit   int      `json:"limit"`
	Kept    bool     `json:"kept"` // the fleet is known to keep to the limit
	Running int      `json:"running"`
	Pauses  []string `json:"pauses"`
	Move    string   `json:"move,omitempty"`
	Fault   string   `json:"fault,omitempty"`
}

// workerRow is one worker.
type workerRow struct {
	Name string `json:"name"`
	// State is an overview.Life; Kind is towpath, or what else keeps leases in this
	// table.
	State string `json:"state"`
	Kind  string `json:"kind"`
	// Here is set for a worker of this process, and Doing says what it does.
	Here   bool    `json:"here,omitempty"`
	Doing  string  `json:"doing,omitempty"`
	Leases int     `json:"leases"`
	Most   int     `json:"most,omitempty"`
	KiB    float64 `json:"kib"`
	// Beat is when a beat was last seen.
	Beat   int64 `json:"beat"`
	Share  int   `json:"share"`
	Memory int64 `json:"memory,omitempty"`
}

// shardRow is what does not change of a shard.
type shardRow struct {
	Stream  string   `json:"stream,omitempty"`
	Parents []string `json:"parents,omitempty"`
	// Children are those that the row knows of.
	Children []string `json:"children,omitempty"`
	// Lo and Hi are its part of the hashes, from 0 to 1; both -1 if not known.
	Lo float64 `json:"lo"`
	Hi float64 `json:"hi"`
}

// liveRow is what changes of a shard. Its names are short because there may be a
// thousand every two seconds.
type liveRow struct {
	State  string `json:"s"`
	Owner  string `json:"o,omitempty"`
	Next   string `json:"n,omitempty"` // who is to have it
	Paused bool   `json:"x,omitempty"`
	// Lag is how far behind the tip it is; at most so far, if AtMost.
	Lag    int64 `json:"l"`
	AtMost bool  `json:"m,omitempty"`
	// Age is how old the oldest record is that is in hand.
	Age     int64   `json:"a,omitempty"`
	Rate    float64 `json:"r"` // records a second, here
	KiB     float64 `json:"k"` // a second, by its row
	Pending int     `json:"p,omitempty"`
	Busy    int     `json:"b,omitempty"`
	Held    int     `json:"h,omitempty"` // keys that wait
	Later   int     `json:"d,omitempty"` // records that are finished later
	Parked  int     `json:"q,omitempty"` // keys that are parked
	// Position is how far it is, Counter the row's, and Saved when this process
	// saved it.
	Position string `json:"at,omitempty"`
	Counter  int64  `json:"c,omitempty"`
	Saved    int64  `json:"w,omitempty"`
	Switches int64  `json:"ow,omitempty"`
	Suspect  bool   `json:"su,omitempty"`
	Here     bool   `json:"me,omitempty"`
	Note     string `json:"e,omitempty"` // an error, or what is wrong with the row
	// Handlers are the handlers, where there are several.
	Handlers []handlerRow `json:"hs,omitempty"`
}

// handlerRow is what one of several handlers does with a shard.
type handlerRow struct {
	Name    string `json:"name"`
	At      string `json:"at"`
	Pending int    `json:"pending"`
	Busy    int    `json:"busy"`
	Lag     int64  `json:"lag"`
}

// problemRow is something that is wrong with the tables.
type problemRow struct {
	Kind  string `json:"kind"`
	Shard string `json:"shard,omitempty"`
	Text  string `json:"text"`
}
