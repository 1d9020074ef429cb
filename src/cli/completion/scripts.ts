// What a shell reads to complete our command lines. Each asks `tranship internal complete` with the words up to the cursor, whose first line
// says whether files may stand there too ("files", "directories", "none"), and each further one is a word and, behind a tab, what it means.

/** Takes the line apart itself: bash cuts words at : and =, which stand in references and options. */
const bash = `# bash completion of tranship: source <(tranship completion bash)
_tranship() {
	local line=\${COMP_LINE:0:COMP_POINT} typed=\${COMP_WORDS[COMP_CWORD]} current files word
	local -a words
	read -ra words <<<"$line"
	[[ $line != *[[:space:]] ]] || words+=("")
	current=\${words[\${#words[@]} - 1]}
	[[ $typed != [:=] ]] || typed=
	COMPREPLY=()
	{
		read -r files
		while IFS=$'\\t' read -r word _; do
			COMPREPLY+=("\${word:\${#current} - \${#typed}}")
		done
	} < <("\${words[0]/#\\~/$HOME}" internal complete -- "\${words[@]:1}" 2>/dev/null)
	case $files in
	files) compopt -o filenames; while read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$typed") ;;
	directories) compopt -o filenames; while read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$typed") ;;
	esac
	[[ \${#COMPREPLY[@]} != 1 || \${COMPREPLY[0]} != *[:=/] ]] || compopt -o nospace
}
complete -F _tranship tranship
`;

const zsh = `#compdef tranship
# zsh completion of tranship: source <(tranship completion zsh), or as _tranship in a directory of fpath
_tranship() {
	local -a lines names
	local line
	lines=("\${(@f)$("\${(Q)words[1]/#\\~/$HOME}" internal complete -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
	for line in "\${(@)lines[2,-1]}"; do
		names+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
	done
	(( $#names )) && _describe -t words 'tranship' names
	case $lines[1] in
	files) _files ;;
	directories) _files -/ ;;
	esac
}
compdef _tranship tranship
`;

const fish = `# fish completion of tranship: tranship completion fish | source
function __tranship_complete
	set -l words (commandline -opc) (commandline -ct)
	set -l lines ($words[1] internal complete -- $words[2..-1] 2>/dev/null)
	printf '%s\\n' $lines[2..-1]
	switch "$lines[1]"
		case files
			__fish_complete_path (commandline -ct)
		case directories
			__fish_complete_directories (commandline -ct)
	end
end
complete -c tranship -f -a '(__tranship_complete)'
`;

export const completionScripts: Readonly<Record<string, string>> = { bash, zsh, fish };
