package catalogue

import (
	"strconv"
	"strings"
)

// Consumer tells a card whose sessions drivers limit: NVIDIA calls the others
// qualified, and limits them by nothing but their memory.
func Consumer(model string) bool {
	there := words(model)
	return there["GeForce"] || there["TITAN"]
}

// limits on the encode sessions of all consumer cards of a host together, newest
// drivers first: 5 since March 2023, which all have that this FFmpeg runs on; 8 since
// 550.54.14 (January 2024, NVENC application note for SDK 13.0). The note for 13.1 says
// 12 and not from which driver on: what is refused costs more than what is left free.
var limits = []struct {
	driver [3]int
	most   int
}{
	{[3]int{550, 54, 14}, 8},
	{[3]int{}, 5},
}

// Sessions is how many encode sessions a driver allows on a card, 0 for no limit
// known. It is the limit of all consumer cards of the host together.
func Sessions(model, driver string) int {
	if !Consumer(model) {
		return 0
	}
	is := version(driver)
	for _, l := range limits {
		if !older(is, l.driver) {
			return l.most
		}
	}
	return 0
}

// version reads as many numbers as there are.
func version(driver string) (v [3]int) {
	for i, part := range strings.SplitN(strings.Fields(driver + " -")[0], ".", len(v)) {
		v[i], _ = strconv.Atoi(part)
	}
	return v
}

func older(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
