//go:build race

package consumer_test

// raceEnabled makes the longest tests shorter under the race detector.
const raceEnabled = true
