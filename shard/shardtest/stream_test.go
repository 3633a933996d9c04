package shardtest_test

import (
	"errors"
	"testing"

	"github.com/towpath/towpath/shard/shardtest"
)

// rig is a stream in memory.
func rig(t *testing.T) shardtest.Rig {
	s := shardtest.NewStream(2)
	gone := shardtest.NewStream(2)
	gone.Delete()
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	return shardtest.Rig{
		Source:  s,
		Missing: gone,
		Put: func(t *testing.T, shardID, key string, data []byte) {
			_, err := s.PutTo(shardID, key, data)
			must(t, err)
		},
		Split: func(t *testing.T, shardID string) {
			_, _, err := s.Split(shardID)
			must(t, err)
		},
		Merge: func(t *testing.T, a, b string) {
			_, err := s.Merge(a, b)
			must(t, err)
		},
		Trim: func(t *testing.T, shardID string, n int) { must(t, s.Trim(shardID, n)) },
		Fail: func(t *testing.T, n int) {
			s.Fault(func(c shardtest.Call) error {
				if c.Op != shardtest.Next || n == 0 {
					return nil
				}
				n--
				return errors.New("as told")
			})
		},
		Largest: 10 << 20,
	}
}

func TestStreamKeepsThePromisesOfASource(t *testing.T) {
	shardtest.RunSourceInBubble(t, rig)
}
