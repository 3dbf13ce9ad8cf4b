package control

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"
)

// Identity is the user and groups that the process changes to after binding. Look it up before
// chroot: the user database is outside.
type Identity struct {
	uid, gid int // -1 means that it stays
	groups   []int
	setsUser bool
}

// LookupIdentity resolves -u and -g. Each is a name or a number, and may be empty. A user without
// group brings its primary group; a user also brings its supplementary groups. It returns nil, nil
// if both are empty.
func LookupIdentity(userName, groupName string) (*Identity, error) {
	if userName == "" && groupName == "" {
		return nil, nil
	}
	id := &Identity{uid: -1, gid: -1}
	if groupName != "" {
		g, err := user.LookupGroup(groupName)
		switch n, numErr := strconv.ParseUint(groupName, 10, 31); {
		case err == nil:
			if id.gid, err = strconv.Atoi(g.Gid); err != nil {
				return nil, fmt.Errorf("group %s has the odd number %s", groupName, g.Gid)
			}
		case numErr == nil:
			id.gid = int(n) // a number needs no name
		default:
			return nil, fmt.Errorf("bad group name: -g %s: no such group", groupName)
		}
	}
	if userName != "" {
		id.setsUser = true
		n, numErr := strconv.ParseUint(userName, 10, 31)
		u, err := user.Lookup(userName)
		// only a number that fits: libc cuts others to 32 bits, and 4294967296 would be root
		if err != nil && numErr == nil {
			u, err = user.LookupId(userName)
		}
		switch {
		case err == nil:
			if err := id.fromUser(u, groupName == ""); err != nil {
				return nil, err
			}
		case numErr != nil:
			return nil, fmt.Errorf("bad user name: -u %s: no such user", userName)
		case groupName == "":
			// Going on would leave the process in root's group.
			return nil, fmt.Errorf("bad user name: -u %s: no such user, so its group is not "+
				"known: add -g", userName)
		default:
			id.uid = int(n)
		}
	}
	if id.gid >= 0 && !slices.Contains(id.groups, id.gid) {
		id.groups = append(id.groups, id.gid)
	}
	return id, nil
}

func (id *Identity) fromUser(u *user.User, takeGroup bool) (err error) {
	if id.uid, err = strconv.Atoi(u.Uid); err != nil {
		return fmt.Errorf("user %s has the odd number %s", u.Username, u.Uid)
	}
	if takeGroup {
		if id.gid, err = strconv.Atoi(u.Gid); err != nil {
			return fmt.Errorf("user %s has the odd group number %s", u.Username, u.Gid)
		}
	}
	names, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("cannot read the groups of user %s: %w", u.Username, err)
	}
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			id.groups = append(id.groups, n)
		}
	}
	return nil
}

// Own makes the identity the owner of path, so that the process can remove or rewrite it later. It
// does nothing on nil.
func (id *Identity) Own(path string) error {
	if id == nil || (id.uid < 0 || id.uid == os.Geteuid()) &&
		(id.gid < 0 || id.gid == os.Getegid()) {
		return nil
	}
	if err := os.Lchown(path, id.uid, id.gid); err != nil {
		return fmt.Errorf("cannot hand %s to its user: %w", path, err)
	}
	return nil
}

// Become changes group, groups and user of the whole process, in that order: each step needs what
// the next gives up. The change is final, and checked: Become returns an error if the process could
// become root again. It does nothing on nil.
func (id *Identity) Become() error {
	if id == nil {
		return nil
	}
	if id.gid >= 0 && (id.gid != os.Getegid() || id.gid != os.Getgid()) {
		if err := syscall.Setgid(id.gid); err != nil {
			return fmt.Errorf("cannot change to group %d (root may): %w", id.gid, err)
		}
	}
	if !id.setsUser || id.uid == os.Geteuid() && id.uid == os.Getuid() {
		return nil
	}
	if err := syscall.Setgroups(id.groups); err != nil {
		return fmt.Errorf("cannot set the groups of user %d (root may): %w", id.uid, err)
	}
	if err := syscall.Setuid(id.uid); err != nil {
		return fmt.Errorf("cannot change to user %d (root may): %w", id.uid, err)
	}
	if id.uid != 0 && syscall.Setuid(0) == nil {
		panic(fmt.Sprintf("BUG: process could become root again after changing to user %d", id.uid))
	}
	return nil
}
