package dbtext

import (
	"fmt"

	"viaduct/shard/route"
)

// Define is the module db_text. The modules that have tables read them by themselves.
func Define(m *route.Module) {
	m.Idle("tables of db_text are read by the modules that use them, loaded or not")
	m.IdleInt("a table is read whole, by each who uses it", "db_mode", "file_buffer_size",
		"max_result_rows")
	m.IdleInt("a value that is not there is an empty text in any case", "emptystring")
	m.IdleText("functions that ask databases are not there yet", "default_connection")
	m.Text("db_delim", ":", "The character between values: a colon.")
	m.Check("db_delim", func(s string, _ int64) string {
		if s == ":" {
			return ""
		}
		return fmt.Sprintf("tables with %q between the values are not read: write a colon there, "+
			"and \\: for a colon in a value", s)
	})
}
