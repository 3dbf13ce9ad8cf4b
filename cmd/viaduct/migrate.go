package main

import (
	"fmt"
	"io"

	"viaduct/shard/modules"
	"viaduct/shard/route"
)

// migrate is `viaduct migrate [-A define]… FILE`: it writes to out what becomes of a configuration
// of Kamailio, as Markdown. What is wrong with the configuration is in the report, and no error.
func migrate(args []string, out io.Writer) error {
	o := &options{}
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-A" && i+1 < len(args):
			i++
			o.defines = append(o.defines, args[i])
		case o.configFile == "" && args[i] != "" && args[i][0] != '-':
			o.configFile = args[i]
		default:
			return usageError(fmt.Sprintf("Unexpected argument '%s'. Use viaduct migrate "+
				"[-A define] FILE.", args[i]))
		}
	}
	if o.configFile == "" {
		return usageError("A file is missing. Use viaduct migrate [-A define] FILE.")
	}
	if err := o.readSource(nil); err != nil {
		return err
	}
	survey := &route.Survey{}
	// the error is in the survey as well
	program, _, _, _ := route.Load(o.sourceName(), o.source, route.Options{Defines: o.defines,
		Modules: modules.All, ReadFile: o.readInclude, Survey: survey})
	text := survey.Markdown(o.configFile)
	if program != nil {
		if lines := program.Rooms(); len(lines) > 0 {
			text = append(text, "\n## Room of tables\n\n"...)
			for _, line := range lines {
				text = fmt.Appendf(text, "- %s\n", line)
			}
		}
	}
	_, err := out.Write(text)
	return err
}
