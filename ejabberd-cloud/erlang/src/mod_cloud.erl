%%% SPDX-License-Identifier: MIT
%%%
%%% The settings of the program `ejabberd-cloud', as options of a module in ejabberd.yml. Keys are not among them: they
%%% come from the environment, from a file or from the role of the machine, as the program's `--help' says.
-module(mod_cloud).
-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_opt_type/1, mod_options/1, mod_doc/0]).
-export([command/1, node_command/1]).

start(_Host, _Options) -> cloud:start().
stop(_Host) -> ok.
reload(_Host, _New, _Old) -> cloud:reload().
depends(_Host, _Options) -> [].

mod_opt_type(program) -> econf:binary();
mod_opt_type(arguments) -> econf:list(econf:binary());
mod_opt_type(bucket) -> econf:binary();
mod_opt_type(prefix) -> econf:binary();
mod_opt_type(shards) -> econf:pos_int();
mod_opt_type(region) -> econf:binary();
mod_opt_type(s3_endpoint) -> econf:binary();
mod_opt_type(sdb_endpoint) -> econf:binary();
mod_opt_type(cache_servers) -> econf:list(econf:binary());
mod_opt_type(max_calls) -> econf:pos_int();
mod_opt_type(timeout) -> econf:timeout(second);
mod_opt_type(lease) -> econf:timeout(second);
mod_opt_type(discovery) -> econf:enum([leases, ec2]);
mod_opt_type(ec2_tags) -> econf:list(econf:binary());
mod_opt_type(ec2_security_groups) -> econf:list(econf:binary());
mod_opt_type(ec2_auto_scaling_group) -> econf:binary();
mod_opt_type(ec2_endpoint) -> econf:binary();
mod_opt_type(node_arguments) -> econf:list(econf:binary()).

%% What is undefined is left to the program's environment and defaults.
mod_options(_Host) ->
    [{program, <<"ejabberd-cloud">>},
     {arguments, []},
     {bucket, undefined},
     {prefix, undefined},
     {shards, undefined},
     {region, undefined},
     {s3_endpoint, undefined},
     {sdb_endpoint, undefined},
     {cache_servers, []},
     {max_calls, undefined},
     {timeout, timer:seconds(20)},
     {lease, undefined},
     {discovery, undefined},
     {ec2_tags, []},
     {ec2_security_groups, []},
     {ec2_auto_scaling_group, undefined},
     {ec2_endpoint, undefined},
     {node_arguments, []}].

mod_doc() ->
    #{desc => ["The program that keeps the state of this server in S3 and SimpleDB, and how it reaches them."],
      opts =>
          [{program, #{value => "Path", desc => ["The program, by its path or by its name on PATH."]}},
           {arguments, #{value => "[Argument]", desc => ["Further arguments of it, such as --signature v4."]}},
           {bucket, #{value => "Name", desc => ["The bucket in S3. It has to be there."]}},
           {prefix, #{value => "Name", desc => ["What the keys and domains of this service begin with."]}},
           {shards, #{value => "Number", desc => ["How many domains each kind of thing is spread over, at first."]}},
           {region, #{value => "Name", desc => ["The region of both services, unless their endpoints are given."]}},
           {s3_endpoint, #{value => "URL", desc => ["Where S3 is, if not at Amazon."]}},
           {sdb_endpoint, #{value => "URL", desc => ["Where SimpleDB is, if not at Amazon."]}},
           {cache_servers, #{value => "[Host:Port]", desc => ["memcached servers that reads may be answered from."]}},
           {max_calls, #{value => "Number", desc => ["How many calls the program takes on at once."]}},
           {timeout, #{value => "Time", desc => ["How long a call may take. The program gives up two seconds earlier, "
                                                "or at nine tenths of this if that is later."]}},
           {lease, #{value => "Time", desc => ["How long a node counts as there after it was heard of last."]}},
           {discovery, #{value => "leases | ec2", desc => ["Where nodes find each other."]}},
           {ec2_tags, #{value => "[Key=Value]", desc => ["Tags that the instances of all nodes have."]}},
           {ec2_security_groups, #{value => "[Group]", desc => ["Security groups of the instances of all nodes."]}},
           {ec2_auto_scaling_group, #{value => "Name", desc => ["The Auto Scaling group of all nodes."]}},
           {ec2_endpoint, #{value => "URL", desc => ["Where EC2 is, if not at Amazon."]}},
           {node_arguments, #{value => "[Argument]",
                              desc => ["Further arguments of the program where it serves a node: `ejabberd-cloud node'."]}}]}.

%% The program, its arguments, and how long a call waits, in milliseconds.
-spec command({binary(), map()} | none) -> {string(), [binary()], pos_integer()}.
command(none) ->
    command(defaults());
command({_Host, #{program := Program, arguments := More, timeout := Timeout, cache_servers := Servers} = Options}) ->
    Deadline = max(Timeout - 2000, Timeout * 9 div 10),
    Arguments =
        [<<"port">>, <<"--deadline-ms">>, integer_to_binary(Deadline)]
        ++ named([{max_calls, <<"--max-calls">>} | stores()], Options)
        ++ each(<<"--cache-server">>, Servers)
        ++ More,
    {find(Program), Arguments, Timeout}.

%% The program for a node of a cluster, and its arguments.
-spec node_command({binary(), map()} | none) -> {string(), [binary()]}.
node_command(none) ->
    node_command(defaults());
node_command({_Host, #{program := Program, node_arguments := More, ec2_tags := Tags, ec2_security_groups := Groups} = Options}) ->
    Lease = case Options of
                #{lease := undefined} -> [];
                #{lease := Time} -> [<<"--lease">>, integer_to_binary(Time div 1000)]
            end,
    Arguments =
        [<<"node">>, <<"--name">>, atom_to_binary(node())]
        ++ named([{discovery, <<"--discovery">>}, {ec2_auto_scaling_group, <<"--ec2-auto-scaling-group">>},
                  {ec2_endpoint, <<"--ec2-endpoint">>} | stores()], Options)
        ++ Lease
        ++ each(<<"--ec2-tag">>, Tags)
        ++ each(<<"--ec2-security-group">>, Groups)
        ++ More,
    {find(Program), Arguments}.

defaults() -> {<<>>, maps:from_list(mod_options(<<>>))}.

stores() ->
    [{bucket, <<"--bucket">>}, {prefix, <<"--prefix">>}, {shards, <<"--shards">>}, {region, <<"--region">>},
     {s3_endpoint, <<"--s3-endpoint">>}, {sdb_endpoint, <<"--sdb-endpoint">>}].

named(Names, Options) ->
    lists:append([[Flag, text(Value)] || {Option, Flag} <- Names,
                                         Value <- [maps:get(Option, Options)], Value /= undefined]).

each(Flag, Values) -> lists:append([[Flag, Value] || Value <- Values]).

text(Value) when is_integer(Value) -> integer_to_binary(Value);
text(Value) when is_atom(Value) -> atom_to_binary(Value);
text(Value) -> Value.

find(Name) ->
    Program = binary_to_list(Name),
    case os:find_executable(Program) of
        false -> Program;
        Path -> Path
    end.
