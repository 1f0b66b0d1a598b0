package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coffer-dev/coffer/internal/config"
	"github.com/coffer-dev/coffer/internal/daemon"
)

// runDaemon runs until ctx ends or a part breaks; SIGHUP and SIGUSR1 begin a new
// audit file. started is called when the listener accepts.
func runDaemon(ctx context.Context, con console, cfg *config.Config, started func(*daemon.Daemon) error) error {
	d, err := daemon.Start(ctx, daemon.Options{Config: cfg, Log: con.err, Version: version})
	if err != nil {
		return err
	}
	rotate := make(chan os.Signal, 1)
	signal.Notify(rotate, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(rotate)
	if err := started(d); err != nil {
		return errors.Join(err, d.Close())
	}
	for {
		select {
		case <-ctx.Done():
			return d.Close()
		case err := <-d.Failed():
			return errors.Join(err, d.Close())
		case <-rotate:
			c, cancel := context.WithTimeout(ctx, 5*time.Second)
			if err := d.ReopenAudit(c); err != nil {
				_, _ = fmt.Fprintf(con.err, "coffer: reopen the audit file: %s\n", err)
			}
			cancel()
		}
	}
}
