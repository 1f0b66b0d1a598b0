package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"
)

// print shows an answer: as its JSON for programs, as rows of an aligned table for
// people.
func (s *secrets) print(answer any, rows ...[]string) error {
	if s.output == machine {
		enc := json.NewEncoder(s.con.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(answer)
	}
	w := tabwriter.NewWriter(s.con.out, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				cell = "\t" + cell
			}
			_, _ = fmt.Fprint(w, cell) // Flush tells
		}
		_, _ = fmt.Fprintln(w)
	}
	return w.Flush()
}

// versionText shows a version that a back end may not have.
func versionText(v *int64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatInt(*v, 10)
}
