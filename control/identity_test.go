package control

import (
	"os/user"
	"slices"
	"strings"
	"testing"
)

func TestLookupIdentity(t *testing.T) {
	f := func(userName, groupName string, uid, gid int) {
		t.Helper()
		id, err := LookupIdentity(userName, groupName)
		if err != nil {
			t.Errorf("-u %q -g %q: %v", userName, groupName, err)
			return
		}
		if id.uid != uid || id.gid != gid || gid >= 0 && !slices.Contains(id.groups, gid) {
			t.Errorf("-u %q -g %q: %+v, want %d:%d", userName, groupName, *id, uid, gid)
		}
	}
	fails := func(userName, groupName, want string) {
		t.Helper()
		if _, err := LookupIdentity(userName, groupName); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("-u %q -g %q: %v, want %q", userName, groupName, err, want)
		}
	}
	if _, err := user.Lookup("nobody"); err != nil {
		t.Fatalf("this system has no user nobody: %v", err)
	}
	f("nobody", "", 65534, 65534) // its primary group
	f("65534", "", 65534, 65534)
	f("root", "", 0, 0)
	f("nobody", "0", 65534, 0)
	f("", "root", -1, 0)
	f("", "4242", -1, 4242)       // a group number needs no name
	f("4242", "4243", 4242, 4243) // nor does a user's, when its group is said

	fails("no-such-user", "", "no such user")
	fails("", "no-such-group", "no such group")
	fails("4242", "", "add -g")
	fails("-1", "0", "no such user")
	fails("4294967296", "0", "no such user")

	if id, err := LookupIdentity("", ""); id != nil || err != nil {
		t.Errorf("neither: %v %v", id, err)
	}
	var none *Identity
	if err := none.Become(); err != nil {
		t.Error(err)
	}
}
