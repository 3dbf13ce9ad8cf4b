package corex

import (
	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// lists declares the commands that show where the server listens, and under which names it is
// known.
func lists(m *route.Module) {
	set := m.Settings()
	transportOf := func(t route.Transport) string {
		if t == route.AnyTransport {
			return "*"
		}
		name, _ := route.TransportName(t)
		return string(name)
	}
	m.View("corex.list_sockets", "Lists the listen lines of the file.", nil,
		func(command.Args) (any, error) {
			type shown struct {
				Proto string `json:"proto"`
				Name  string `json:"name,omitempty"`
				Addr  string `json:"address"`
				Port  int    `json:"port"`
			}
			all := []shown{}
			for i := range set.Core.Listen {
				l := &set.Core.Listen[i]
				all = append(all, shown{transportOf(l.Transport), l.Name, l.Host,
					int(set.Core.PortOf(l))})
			}
			return all, nil
		})
	m.View("corex.list_aliases", "Lists the names that the file declares as this server's.", nil,
		func(command.Args) (any, error) {
			type shown struct {
				Proto string `json:"proto"`
				Addr  string `json:"address"`
				Port  int    `json:"port,omitempty"`
				Below bool   `json:"subdomains"`
			}
			all := []shown{}
			for _, a := range set.Core.Alias {
				all = append(all, shown{transportOf(a.Transport), a.Host, int(a.Port), a.Below})
			}
			return all, nil
		})
}
