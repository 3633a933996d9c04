package batching

// dueKeys is a heap of the keys that time will move, the next first.
type dueKeys []*heldKey

func (d dueKeys) Len() int           { return len(d) }
func (d dueKeys) Less(i, j int) bool { return d[i].wake.Before(d[j].wake) }
func (d dueKeys) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push implements heap.Interface.
func (d *dueKeys) Push(x any) {
	k := x.(*heldKey)
	k.index = len(*d)
	*d = append(*d, k)
}

// Pop implements heap.Interface.
func (d *dueKeys) Pop() any {
	old := *d
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	k.index = -1
	return k
}
