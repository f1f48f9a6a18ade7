package disk

import "strings"

// load opens the files of the directory.
func (s *Store) load() error {
	if err := s.dir.clean(); err != nil {
		s.logf(sevWarning, "unfinished files cannot be removed: %v", err)
	}
	v, err := take(s.dir)
	if err != nil {
		return err
	}
	s.pos, s.gens, s.messages = v.pos, v.gens, v.messages
	if len(v.foreign) > 0 {
		s.logf(sevWarning, "%s holds files that are not the queue's, which are left alone: %s",
			s.dir.path, strings.Join(v.foreign, ", "))
	}
	for _, f := range v.faults {
		s.logf(sevError, "%s", f.says())
		if f.empty {
			s.setAside(f.name)
		}
	}
	if v.missing != "" {
		s.logf(sevError, "the file that came after %s is missing; how many messages it held is not known", v.missing)
	}
	v.release()
	for _, old := range v.replaced {
		if err := s.dir.remove(old.name); err != nil {
			s.logf(sevWarning, "%s has been replaced and cannot be removed: %v", old.name, err)
		}
	}
	for _, g := range s.gens {
		s.trim(g)
	}
	return nil
}

// trim gives back the room behind the last page in use, which a process that died
// had allocated.
func (s *Store) trim(g *generation) {
	if g.damaged || g.used == 0 {
		return
	}
	if err := trim(s.dir.join(g.name), g.used); err == nil {
		g.bytes = diskBytes(s.dir.join(g.name))
	}
}

// setAside keeps a damaged file under another name.
func (s *Store) setAside(name string) {
	bad, err := s.dir.setAside(name, s.cfg.Now())
	if err != nil {
		s.logf(sevError, "%s is damaged, and cannot be renamed: %v", name, err)
		return
	}
	s.logf(sevError, "%s is kept as %s", name, bad)
}
