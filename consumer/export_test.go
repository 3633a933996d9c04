package consumer

import "github.com/towpath/towpath/shard"

// PauseKeys has a running consumer pause keys, as the control row does.
func PauseKeys(c *Consumer, pauses ...shard.Pause) {
	c.mu.Lock()
	w := c.worker
	c.mu.Unlock()
	w.keyPauses.set(pauses)
}
