package overview

import (
	"encoding/json"
	"fmt"
	"time"
)

// Seconds is a duration that is a number of seconds in JSON, to the millisecond.
type Seconds time.Duration

// Of is the duration.
func (s Seconds) Of() time.Duration { return time.Duration(s) }

// String is as of a time.Duration.
func (s Seconds) String() string { return time.Duration(s).String() }

// MarshalJSON writes a number of seconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(s).Round(time.Millisecond)) / float64(time.Second))
}

// UnmarshalJSON reads a number of seconds.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var n float64
	if err := json.Unmarshal(text, &n); err != nil {
		return fmt.Errorf("seconds: %w", err)
	}
	*s = Seconds(n * float64(time.Second))
	return nil
}
