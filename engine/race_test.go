//go:build race

package engine_test

func init() { slow = 10 }
