//go:build race

package sqlpositions_test

// raceEnabled makes the longest scenarios shorter under the race detector.
const raceEnabled = true
