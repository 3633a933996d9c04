package batching

import "time"

// Window is the tumbling window that a batch belongs to. It is Lambda's: a
// handler gets State as the call before left it and sets it to what the next
// call shall get.
type Window struct {
	// Start and End are its bounds by the records' time of arrival; End is not
	// included.
	Start, End time.Time
	// State is what the last call for this window left; nil at its beginning.
	State []byte
	// Final is set on the last call for the window, whose batch may have no
	// records (isFinalInvokeForWindow). What it leaves in State is not kept.
	Final bool
	// Early is set with Final if the window was ended before its time, because
	// its state had grown too large or the shard has ended
	// (isWindowTerminatedEarly).
	Early bool
}
