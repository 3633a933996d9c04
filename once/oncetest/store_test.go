package oncetest_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/towpath/towpath/once/oncetest"
)

func TestStoreInMemoryKeepsTheContract(t *testing.T) {
	oncetest.RunStore(t, func(t *testing.T) oncetest.Rig {
		var mu sync.Mutex
		applied := map[string]int{}
		return oncetest.Rig{
			Store: &oncetest.Store{},
			Effect: func(name string, refuse bool) any {
				return func() error {
					if refuse {
						return errors.New("refused")
					}
					mu.Lock()
					defer mu.Unlock()
					applied[name]++
					return nil
				}
			},
			Applied: func(name string) int {
				mu.Lock()
				defer mu.Unlock()
				return applied[name]
			},
		}
	})
}
