package main

import (
	"math/big"
	"slices"
)

// hashed is a shard by its range of hash keys.
type hashed struct {
	id          string
	first, last *big.Int
}

func number(decimal string) *big.Int {
	n, ok := new(big.Int).SetString(decimal, 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

func (h hashed) width() *big.Int { return new(big.Int).Sub(h.last, h.first) }

func (h hashed) middle() *big.Int {
	sum := new(big.Int).Add(h.first, h.last)
	return sum.Rsh(sum, 1)
}

func sortByStart(shards []hashed) {
	slices.SortFunc(shards, func(a, b hashed) int { return a.first.Cmp(b.first) })
}
