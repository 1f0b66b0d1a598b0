package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coffer-dev/coffer/internal/identity/devissuer"
)

func newToken(con console) *cobra.Command {
	var (
		dir, groups, roles, scopes, aud string
		extra                           []string
		claims                          devissuer.Claims
	)
	cmd := &cobra.Command{
		Use: "token", Short: "Print a token of the development issuer", Args: cobra.NoArgs,
		Long: "Prints a JWT signed by the issuer of a development data directory. A negative ttl mints an expired one.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			issuer, err := devissuer.Open(dir)
			if err != nil {
				return err
			}
			claims.Groups, claims.Roles, claims.Scopes = list(groups, ","), list(roles, ","), strings.Fields(scopes)
			if cmd.Flags().Changed("aud") {
				claims.Audience = append([]string{}, list(aud, ",")...)
			}
			claims.Extra = map[string]any{}
			for _, text := range extra {
				name, value, err := devissuer.ParseExtra(text)
				if err != nil {
					return err
				}
				claims.Extra[name] = value
			}
			token, err := issuer.Mint(claims)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(con.out, token)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "data-dir", "./.coffer", "data directory of coffer dev")
	f.StringVar(&claims.Subject, "sub", "", "subject (required)")
	f.StringVar(&claims.Name, "name", "", "preferred_username and name")
	f.StringVar(&groups, "groups", "", "groups, separated by commas")
	f.StringVar(&roles, "roles", "", "realm_access.roles, separated by commas")
	f.StringVar(&scopes, "scopes", "", "scopes, separated by spaces")
	f.StringVar(&aud, "aud", devissuer.DefaultAudience, "audiences, separated by commas; empty leaves the claim out")
	f.DurationVar(&claims.TTL, "ttl", time.Hour, "life of the token")
	f.StringArrayVar(&extra, "claim", nil, "additional claim, name=value; a value that is JSON is taken as JSON, null drops the claim")
	_ = cmd.MarkFlagRequired("sub")
	return cmd
}

// list splits text and drops what is empty.
func list(text, sep string) []string {
	var out []string
	for part := range strings.SplitSeq(text, sep) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
