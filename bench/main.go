package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are what a run may be told.
type settings struct {
	binary  string        // the Coffer under test
	span    time.Duration // of one cell
	rounds  int
	secrets int // read at random
	many    int // read at random in the end; 0 leaves that out
	write   bool
	profile string // directory of profiles; "" measures instead
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == bareRole {
		return serveBare(ctx, args[1])
	}
	if len(args) == 2 && args[0] == etcdRole {
		return serveEtcd(ctx, args[1])
	}
	if len(args) == 3 && args[0] == profileRole && args[1] == "--config" {
		return serveProfiled(ctx, args[2])
	}
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&s.binary, "coffer", "bin/coffer", "program to measure")
	flags.DurationVar(&s.span, "d", 3*time.Second, "length of one cell")
	flags.IntVar(&s.rounds, "rounds", 3, "rounds, of which the median counts")
	flags.IntVar(&s.secrets, "secrets", 1000, "secrets to read at random")
	flags.IntVar(&s.many, "many", 100_000, "secrets to read at random in the end; 0 leaves that out")
	flags.BoolVar(&s.write, "write", false, "write the table to bench/results.md too")
	flags.StringVar(&s.profile, "profile", "", "measure nothing; keep profiles of Coffer at 64 connections in this directory")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.profile != "" {
		return profile(ctx, s)
	}
	table, err := bench(ctx, s)
	if err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString(table); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if !s.write {
		return nil
	}
	if err := os.WriteFile("bench/results.md", []byte(markdown(table)), 0o600); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}
