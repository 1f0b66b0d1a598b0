package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// console is what a verb may touch of the process besides its arguments.
type console struct {
	in       io.Reader
	out, err io.Writer
	// env reads a variable, as os.LookupEnv does.
	env func(name string) (string, bool)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv})
	stop()
	os.Exit(code)
}
