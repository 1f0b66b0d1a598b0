package main

import (
	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/api/canonical"
	"github.com/coffer-dev/coffer/client"
)

func newSecretRotate(s *secrets) *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate URI [-]", Short: "Write a new version as a rotation",
		Long: "Writes a value as put does; events and audit tell of a rotation.\n\n" + valueHelp,
	}
	return writing(s, cmd, (*client.Client).Rotate, []string{"URI", "OLD", "NEW"}, func(out canonical.RotateResponse) []string {
		return []string{out.URI, versionText(out.OldVersion), versionText(out.NewVersion)}
	})
}
