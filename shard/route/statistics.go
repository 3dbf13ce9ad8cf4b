package route

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed statistics.txt
var statisticsText string

// StatisticNames are the names of the statistics that Shard.Statistic reads, sorted.
func StatisticNames() []string { return strings.Fields(statisticsText) }

// HasStatistic tells whether there is a statistic with that name.
func HasStatistic(name string) bool {
	_, there := slices.BinarySearch(StatisticNames(), name)
	return there
}
