// SPDX-License-Identifier: Apache-2.0

// What the clock costs in Go, which has no C library: `cost BATCHES` prints what
// cost.c does, for time.Now.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"syscall"
	"time"
)

const times = 20000

var last time.Time

func processor() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano() + used.Stime.Nano())
}

func main() {
	if len(os.Args) != 2 {
		os.Exit(2)
	}
	batches, err := strconv.Atoi(os.Args[1])
	if err != nil || batches < 1 {
		os.Exit(2)
	}
	fmt.Printf("year %d 0\n", time.Now().UTC().Year())
	took := make([]float64, batches)
	cpu := processor()
	for b := range took {
		began := time.Now()
		for n := 0; n < times; n++ {
			last = time.Now()
		}
		took[b] = float64(time.Since(began).Nanoseconds()) / times
	}
	cpu = (processor() - cpu) / float64(times*batches)
	sort.Float64s(took)
	fmt.Printf("time.Now %.1f %.1f\n", took[batches/2], cpu)
}
