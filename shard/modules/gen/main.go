// Command gen writes docs/modules: a page for each module, from what it declares.
package main

import (
	"log"
	"os"
	"path/filepath"

	"viaduct/shard/modules"
	"viaduct/shard/route"
)

func main() {
	const dir = "../../docs/modules"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		log.Fatal(err)
	}
	write := func(name string, page []byte) {
		if err := os.WriteFile(filepath.Join(dir, name+".md"), page, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	write("README", route.ManualIndex(modules.Pages))
	for _, d := range modules.Pages {
		write(d.Name, route.Manual(d))
	}
}
