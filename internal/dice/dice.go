// Package dice is where a worker's randomness comes from: jitter of what it does
// now and then, back-off between tries, and the random part of its id.
//
// As a rule that is the global generator. A simulation of whole fleets puts a
// seed into the context that it runs a worker with (With), and then every draw is
// a function of that seed, of what is drawn for, and of the time at which it is
// drawn. There is no state: what one goroutine draws does not depend on what
// others have drawn before, so that a run is the same however its goroutines are
// scheduled. The price is that whoever draws twice at one instant for one purpose
// gets the same number; in a bubble of testing/synctest, where time stands still
// while anything runs, the purpose therefore names the shard, too, where several
// are at it.
//
// It stands beside package clock, and like it is not public.
package dice

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"time"
)

// Dice is a source of random numbers. The zero value is the global generator.
type Dice struct {
	seed  uint64
	fixed bool
}

type contextKey struct{}

// With returns a context in which From finds dice that are a function of seed.
func With(ctx context.Context, seed uint64) context.Context {
	return context.WithValue(ctx, contextKey{}, Dice{seed: seed, fixed: true})
}

// From is the dice put into the context by With, or else the global generator.
func From(ctx context.Context) Dice {
	d, _ := ctx.Value(contextKey{}).(Dice)
	return d
}

// N draws a duration of at least 0 and less than n, which is more than 0. Purpose
// names what it is drawn for.
func (d Dice) N(n time.Duration, purpose ...string) time.Duration {
	if !d.fixed {
		return rand.N(n)
	}
	return time.Duration(d.draw(purpose) % uint64(n))
}

// Float64 draws a number of at least 0 and less than 1.
func (d Dice) Float64(purpose ...string) float64 {
	if !d.fixed {
		return rand.Float64()
	}
	return float64(d.draw(purpose)>>11) / (1 << 53)
}

// ID is 16 hexadecimal digits that nobody else has. That holds of fixed dice as
// long as no two seeds are alike.
func (d Dice) ID(purpose ...string) string {
	if d.fixed {
		id := strconv.FormatUint(d.draw(purpose), 16)
		return "0000000000000000"[len(id):] + id
	}
	var b [8]byte
	cryptorand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Rest does nothing, but with fixed dice: then it lets some nanoseconds pass, so
// that in a bubble of testing/synctest everything else comes to rest first. It
// stands before a loop looks which of several things are ready, where several
// goroutines may get them ready at one instant.
func (d Dice) Rest(purpose ...string) {
	if d.fixed {
		time.Sleep(time.Duration(1 + d.draw(purpose)%1000))
	}
}

// draw is 64 bits, by purpose and time.
func (d Dice) draw(purpose []string) uint64 {
	return Hash(d.seed, uint64(time.Now().UnixNano()), purpose...)
}

// Hash is 64 bits that are a function of its arguments, and spread evenly.
func Hash(seed, number uint64, words ...string) uint64 {
	h := mix(mix(seed) ^ number)
	for _, word := range words {
		for len(word) >= 8 {
			h = mix(h ^ (uint64(word[0]) | uint64(word[1])<<8 | uint64(word[2])<<16 | uint64(word[3])<<24 |
				uint64(word[4])<<32 | uint64(word[5])<<40 | uint64(word[6])<<48 | uint64(word[7])<<56))
			word = word[8:]
		}
		last := uint64(len(word)) + 1
		for i := range len(word) {
			last = last<<8 | uint64(word[i])
		}
		h = mix(h ^ last)
	}
	return h
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
