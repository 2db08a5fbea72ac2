%%% SPDX-License-Identifier: MIT
%%%
%%% The settings of the program `ejabberd-cloud', as options of a module in ejabberd.yml. Keys are not among them: they
%%% come from the environment, from a file or from the role of the machine, as the program's `--help' says.
-module(mod_cloud).
-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_opt_type/1, mod_options/1, mod_doc/0]).
-export([command/1]).

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
mod_opt_type(timeout) -> econf:timeout(second).

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
     {timeout, timer:seconds(20)}].

mod_doc() ->
    #{desc => ["The program that keeps the state of this server in S3 and SimpleDB, and how it reaches them."],
      opts =>
          [{program, #{value => "Path", desc => ["The program, by its path or by its name on PATH."]}},
           {arguments, #{value => "[Argument]", desc => ["Further arguments of it, such as --cache-local."]}},
           {bucket, #{value => "Name", desc => ["The bucket in S3. It has to be there."]}},
           {prefix, #{value => "Name", desc => ["What the keys and domains of this service begin with."]}},
           {shards, #{value => "Number", desc => ["How many domains each kind of thing is spread over, at first."]}},
           {region, #{value => "Name", desc => ["The region of both services, unless their endpoints are given."]}},
           {s3_endpoint, #{value => "URL", desc => ["Where S3 is, if not at Amazon."]}},
           {sdb_endpoint, #{value => "URL", desc => ["Where SimpleDB is, if not at Amazon."]}},
           {cache_servers, #{value => "[Host:Port]", desc => ["memcached servers that reads may be answered from."]}},
           {max_calls, #{value => "Number", desc => ["How many calls the program takes on at once."]}},
           {timeout, #{value => "Time", desc => ["How long a call may take. The program gives up two seconds earlier, "
                                                "or at nine tenths of this if that is later."]}}]}.

%% The program, its arguments, and how long a call waits, in milliseconds.
-spec command({binary(), map()} | none) -> {string(), [binary()], pos_integer()}.
command(none) ->
    command({<<>>, maps:from_list(mod_options(<<>>))});
command({_Host, #{program := Program, arguments := More, timeout := Timeout, cache_servers := Servers} = Options}) ->
    Deadline = max(Timeout - 2000, Timeout * 9 div 10),
    Named = [{bucket, <<"--bucket">>}, {prefix, <<"--prefix">>}, {shards, <<"--shards">>}, {region, <<"--region">>},
             {s3_endpoint, <<"--s3-endpoint">>}, {sdb_endpoint, <<"--sdb-endpoint">>}, {max_calls, <<"--max-calls">>}],
    Arguments =
        [<<"port">>, <<"--deadline-ms">>, integer_to_binary(Deadline)]
        ++ lists:append([[Flag, text(Value)] || {Option, Flag} <- Named,
                                                Value <- [maps:get(Option, Options)], Value /= undefined])
        ++ lists:append([[<<"--cache-server">>, Server] || Server <- Servers])
        ++ More,
    {find(binary_to_list(Program)), Arguments, Timeout}.

text(Value) when is_integer(Value) -> integer_to_binary(Value);
text(Value) -> Value.

find(Program) ->
    case os:find_executable(Program) of
        false -> Program;
        Path -> Path
    end.
