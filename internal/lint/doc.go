// Package lint holds no code, only tests: the rules that weir's source keeps and that no compiler
// checks. Which package may import which, that every exported name says what it promises, how long
// a function may be, and which words do not belong here.
//
// A rule that fails is to be obeyed, not loosened: each stands with its reason, and changing it is a
// decision for doc/decisions/, never a way to mend a build.
package lint
